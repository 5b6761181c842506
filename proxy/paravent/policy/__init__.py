"""What the security team writes, read strictly and compiled once.

Text with line and column (`source`) → typed files (`schema`) → checked rules (`compile`, `lint`) → a route table
(`match`) and the reading of one question (`question`). Files come in as a mapping of name to bytes; nothing here
opens one.
"""
