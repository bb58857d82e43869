from pathlib import Path
SOURCES = Path(__file__).parent / "acp"
