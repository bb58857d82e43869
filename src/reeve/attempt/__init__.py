"""The second stage: what did one agent do. Reads how the sandbox saw it end, and what it printed."""
