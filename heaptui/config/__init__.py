"""What an operator can set once for all: one TOML file, read strictly.

Nothing is ignored: an unknown key, a figure of the wrong kind, a size that cannot be read are all
refused, with the file, the key and what it accepts.
"""

from __future__ import annotations

from heaptui.config.example import EXAMPLE
from heaptui.config.policy import AdmissionConfig, AlertsConfig, GcRule, KindPolicy, Policy
from heaptui.config.policy import PolicyConfig as PolicyConfig
from heaptui.config.reading import load, parse, parse_toml, unknown_key
from heaptui.config.sections import (
    LEAST_CONCURRENCY,
    AppConfig,
    Config,
    HeapConfig,
    HistoryConfig,
    LimitsConfig,
    MetricsConfig,
    QueueConfig,
    RetryConfig,
)

__all__ = [
    "EXAMPLE",
    "LEAST_CONCURRENCY",
    "AdmissionConfig",
    "AlertsConfig",
    "AppConfig",
    "Config",
    "GcRule",
    "HeapConfig",
    "HistoryConfig",
    "KindPolicy",
    "LimitsConfig",
    "MetricsConfig",
    "Policy",
    "PolicyConfig",
    "QueueConfig",
    "RetryConfig",
    "load",
    "parse",
    "parse_toml",
    "unknown_key",
]
