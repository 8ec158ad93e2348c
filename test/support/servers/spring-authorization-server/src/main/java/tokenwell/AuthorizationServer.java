package tokenwell;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.Principal;
import javax.net.ssl.SSLContext;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.security.authentication.TestingAuthenticationToken;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jose.jws.MacAlgorithm;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.InMemoryOAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.OAuth2Authorization;
import org.springframework.security.oauth2.server.authorization.OAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.OAuth2TokenType;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;
import org.springframework.stereotype.Component;
import org.springframework.util.StringUtils;

/** Spring Authorization Server with what Spring Boot configures by itself. Its clients are in a file, described as in RFC 7591. */
@SpringBootApplication
public class AuthorizationServer {
  public static void main(String[] arguments) {
    SpringApplication.run(AuthorizationServer.class, arguments);
  }

  /** JWK sets are read over TLS, from servers that the tests' own CA vouches for. */
  @Autowired
  void trustServersOfTheTests(SslBundles bundles) {
    SSLContext.setDefault(bundles.getBundle("key-sets").createSslContext());
  }

  /** Only a token with a principal can be exchanged. A client's own token has none until the client is it. */
  @Component
  static class AuthorizationsWithPrincipals implements OAuth2AuthorizationService {
    private final OAuth2AuthorizationService inMemory = new InMemoryOAuth2AuthorizationService();

    @Override
    public void save(OAuth2Authorization authorization) {
      String principal = Principal.class.getName();
      var authentication = new TestingAuthenticationToken(authorization.getPrincipalName(), null);
      boolean isThere = authorization.getAttribute(principal) != null;
      inMemory.save(isThere ? authorization : OAuth2Authorization.from(authorization).attribute(principal, authentication).build());
    }

    @Override
    public void remove(OAuth2Authorization authorization) {
      inMemory.remove(authorization);
    }

    @Override
    public OAuth2Authorization findById(String id) {
      return inMemory.findById(id);
    }

    @Override
    public OAuth2Authorization findByToken(String token, OAuth2TokenType type) {
      return inMemory.findByToken(token, type);
    }
  }

  /** Reads the file again at each look-up: a client that is changed or taken out there is so from the next request on. */
  @Component
  static class ClientsInFile implements RegisteredClientRepository {
    private static final ObjectMapper json = new ObjectMapper();
    private final File file;

    ClientsInFile(@Value("${tokenwell.clients}") File file) {
      this.file = file;
    }

    /** Asked for after a client has given its secret, which would be stored with another hash. */
    @Override
    public void save(RegisteredClient client) {}

    /** A client's id is its description: one that has changed is another, and nothing of the former is remembered for it. */
    @Override
    public RegisteredClient findById(String id) {
      try {
        return read(json.readTree(id));
      } catch (JsonProcessingException error) {
        throw new UncheckedIOException(error);
      }
    }

    @Override
    public RegisteredClient findByClientId(String clientId) {
      try {
        JsonNode client = json.readTree(file).get(clientId);
        return client == null ? null : read(client);
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }

    private static RegisteredClient read(JsonNode client) {
      String method = client.get("token_endpoint_auth_method").asText();
      boolean isBound = client.path("tls_client_certificate_bound_access_tokens").asBoolean();
      return RegisteredClient.withId(client.toString())
          .clientId(client.get("client_id").asText())
          .clientSecret(client.path("client_secret").asText(null))
          .clientAuthenticationMethod(new ClientAuthenticationMethod(method))
          .authorizationGrantTypes(
              grants -> client.path("grant_types").forEach(grant -> grants.add(new AuthorizationGrantType(grant.asText()))))
          .scopes(scopes -> scopes.addAll(StringUtils.commaDelimitedListToSet(client.path("scope").asText().replace(" ", ","))))
          .clientSettings(readSettings(client))
          .tokenSettings(TokenSettings.builder().x509CertificateBoundAccessTokens(isBound).build())
          .build();
    }

    private static ClientSettings readSettings(JsonNode client) {
      var settings = ClientSettings.builder();
      if (client.has("jwks_uri")) settings.jwkSetUrl(client.get("jwks_uri").asText());
      if (client.has("tls_client_auth_subject_dn"))
        settings.x509CertificateSubjectDN(client.get("tls_client_auth_subject_dn").asText());
      String algorithm = client.path("token_endpoint_auth_signing_alg").asText("");
      if (algorithm.startsWith("HS")) settings.tokenEndpointAuthenticationSigningAlgorithm(MacAlgorithm.from(algorithm));
      else if (!algorithm.isEmpty())
        settings.tokenEndpointAuthenticationSigningAlgorithm(SignatureAlgorithm.from(algorithm));
      return settings.build();
    }
  }
}
