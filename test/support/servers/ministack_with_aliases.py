"""
What AWS does and ministack does not:
- its HTTP APIs invoke the version behind an alias, and the function sees the ARN of the version. Lambda shows it the alias.
- it has no condition key kms:ResourceAliases, and checks a request that names a KMS key by an alias for the alias. AWS checks the key.
"""

from ministack.app import app
from ministack.core import iam_evaluator
from ministack.services import kms, lambda_svc

__all__ = ["app"]

_of_version = lambda_svc._get_func_record_for_ref_in_scope


def _of_alias(function_ref, **scope):
    record, config, name = _of_version(function_ref, **scope)
    if config is not None and str(function_ref).startswith("arn:"):
        config = {**config, "FunctionArn": function_ref}
    return record, config, name


lambda_svc._get_func_record_for_ref_in_scope = _of_alias

_enforce = iam_evaluator.enforce


def _enforce_for_key(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
    is_of_key = service == "kms" and "Alias" not in iam_action
    key = kms._resolve_key(resource_arn) if is_of_key else None
    if key is not None:
        resource_arn = key["Arn"]
        aliases = [arn.split(":", 5)[5] for arn, key_id in kms._aliases.items() if key_id == key["KeyId"]]
        service_context = {**(service_context or {}), "kms:ResourceAliases": aliases or None}
    return _enforce(access_key_id, iam_action, service, region, resource_arn, service_context)


iam_evaluator.enforce = _enforce_for_key
