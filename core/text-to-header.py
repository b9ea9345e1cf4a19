# SPDX-License-Identifier: Apache-2.0
"""Writes a text file as a C string: text-to-header.py NAME INPUT OUTPUT."""
import json
import sys

name, source, target = sys.argv[1:]
with open(source, encoding="utf-8") as text, open(target, "w", encoding="utf-8") as header:
    header.write(f"static const char {name}[] =\n")
    for line in text:
        header.write(f"    {json.dumps(line)}\n")
    header.write("    ;\n")
