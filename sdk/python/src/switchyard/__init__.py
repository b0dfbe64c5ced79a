"""Take money through a Switchyard gateway: payments, refunds, invoices, events, and the balance ledger."""

from . import proofs, types, webhooks
from .aio import AsyncSwitchyard
from .client import Switchyard
from .errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DeltaFailedError,
    IdempotencyConflictError,
    ModeNotServedError,
    NotFoundError,
    PermissionDeniedError,
    PlanLimitExceededError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitError,
    RequestTimeoutError,
    SwitchyardError,
    ValidationError,
)
from .money import to_json
from .pages import AsyncPages, Page, Pages
from .proofs import ProofError
from .version import VERSION as __version__
from .webhooks import WebhookVerificationError

__all__ = [
    "AsyncPages",
    "AsyncSwitchyard",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectionFailedError",
    "DeltaFailedError",
    "IdempotencyConflictError",
    "ModeNotServedError",
    "NotFoundError",
    "Page",
    "Pages",
    "PermissionDeniedError",
    "PlanLimitExceededError",
    "ProofError",
    "ProviderError",
    "ProviderUnavailableError",
    "RateLimitError",
    "RequestTimeoutError",
    "Switchyard",
    "SwitchyardError",
    "ValidationError",
    "WebhookVerificationError",
    "__version__",
    "proofs",
    "to_json",
    "types",
    "webhooks",
]
