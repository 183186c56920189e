#!/usr/bin/env python3
"""The settings without code, by an older name: `manage_agents.py show`, `list-providers`,
`change-llm openai gpt-4o`, `change-tts …`, `change-stt …`, `plugins list|add|remove`. All of it is
`eloquence` itself (X-36)."""

from eloquence.cli import main

if __name__ == "__main__":
    main()
