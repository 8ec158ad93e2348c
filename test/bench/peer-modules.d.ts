/* The parts that the bench uses of a package without types. */
declare module 'simple-oauth2' {
  export class ClientCredentials {
    constructor(options: {
      readonly client: { readonly id: string; readonly secret: string }
      readonly auth: { readonly tokenHost: string; readonly tokenPath: string }
      readonly http?: { readonly timeout: number }
    })
    getToken(parameters: object): Promise<{ readonly token: Readonly<Record<string, unknown>> }>
  }
}
