"""ministack's HTTP APIs invoke the version behind an alias, and the function sees the ARN of the version. Lambda shows it the alias."""

from ministack.app import app
from ministack.services import lambda_svc

__all__ = ["app"]

_of_version = lambda_svc._get_func_record_for_ref_in_scope


def _of_alias(function_ref, **scope):
    record, config, name = _of_version(function_ref, **scope)
    if config is not None and str(function_ref).startswith("arn:"):
        config = {**config, "FunctionArn": function_ref}
    return record, config, name


lambda_svc._get_func_record_for_ref_in_scope = _of_alias
