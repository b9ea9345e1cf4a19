#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""same-interface.py INTERFACE FILE FILE: two introspections in XML must say the same of an interface."""
import sys
import xml.etree.ElementTree as ElementTree


def describe(file, name):
    """The members as tuples, without what only one tool writes (annotations, the default access)."""
    interface = ElementTree.parse(file).find(f"interface[@name='{name}']")
    if interface is None:
        sys.exit(f"{file}: no interface {name}")
    return [
        (member.tag, *sorted(member.items()), *(tuple(sorted(arg.items())) for arg in member.findall("arg")))
        for member in interface
        if member.tag != "annotation"
    ]


wanted, found = (describe(file, sys.argv[1]) for file in sys.argv[2:])
if wanted != found:
    sys.exit("\n".join(["want:", *map(str, wanted), "got:", *map(str, found)]))
