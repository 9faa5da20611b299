"""What Open WebUI is told where nobody is outside: no network, no embeddings, nothing beside the answer.

Nothing that examples/compose/compose.yaml says is said anew.
"""

QUIET = {
    "OFFLINE_MODE": "True",
    "HF_HUB_OFFLINE": "1",
    "RAG_EMBEDDING_ENGINE": "openai",
    "RAG_OPENAI_API_BASE_URL": "http://127.0.0.1:9/v1",
    "AUDIO_STT_ENGINE": "openai",
    "ENABLE_VERSION_UPDATE_CHECK": "False",
    "ENABLE_TITLE_GENERATION": "False",
    "ENABLE_TAGS_GENERATION": "False",
    "ENABLE_FOLLOW_UP_GENERATION": "False",
    "ENABLE_AUTOCOMPLETE_GENERATION": "False",
    "ANONYMIZED_TELEMETRY": "False",
    "BYPASS_MODEL_ACCESS_CONTROL": "True",
}
