#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""read-output.py FORMAT FILE JSON-FILE: reads FILE as json, yaml or csv; yaml must be equal to the JSON file; csv
needs none, and must have as many fields in each row."""
import csv
import json
import sys

form, name, json_name = sys.argv[1:]
with open(name, encoding="utf-8", newline="") as file, open(json_name, encoding="utf-8") as json_file:
    if form == "json":
        json.load(file)
    elif form == "yaml":
        import yaml

        found, wanted = yaml.safe_load(file), json.load(json_file)
        if found != wanted:
            sys.exit(f"YAML: {found}\nJSON: {wanted}")
    else:
        lengths = {len(row) for row in csv.reader(file, strict=True)}
        if len(lengths) != 1:
            sys.exit(f"rows of {sorted(lengths)} fields")
