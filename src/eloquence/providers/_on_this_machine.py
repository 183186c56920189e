"""What providers that work on this machine share: the package and the model they need, and why one
that is not ready cannot be made."""

from eloquence.errors import DependencyNotFoundError, ProviderError
from eloquence.registry import Readiness


def without_package(package: str, extra: str, model: str = "") -> Readiness:
    """The readiness of a provider whose package is absent; `model` is what it would use."""
    return Readiness(
        ready=False,
        detail=f"The package {package!r} is not installed.",
        mend=f"pip install 'eloquence[{extra}]'",
        model=model,
    )


def refusal(
    lacking: Readiness, kind: type[ProviderError]
) -> DependencyNotFoundError | ProviderError:
    """The error of a provider that is asked to be made and is not ready."""
    if lacking.mend.startswith("pip install"):
        return DependencyNotFoundError(lacking.detail, mend=lacking.mend)
    return kind(lacking.detail, cause="bad_request", mend=lacking.mend)
