#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the control socket that checks nothing itself.

  dbus-call.py SOCKET MEMBER [TYPE JSON]...   calls a method of the manager; a variant is [TYPE, VALUE] in JSON, a
                                              byte that is no UTF-8 "\\udcXX", @FILE the JSON in a file. Prints
                                              "ok" or the error.
  dbus-call.py SOCKET --bytes HEX...          sends these bytes, each after an answer or a moment; prints nothing.
"""
import json
import re
import socket
import struct
import sys

PATH, INTERFACE = "/org/libvirtprovider", "org.libvirtprovider.Manager1"
CALL, RETURN, SIGNAL = 1, 2, 4
FIELD_PATH, FIELD_INTERFACE, FIELD_MEMBER, FIELD_SIGNATURE = 1, 2, 3, 8


def pad(out, size):
    out.extend(b"\0" * (-len(out) % size))


def put_text(out, text, length_format):
    data = text.encode("utf-8", "surrogateescape")
    out += struct.pack(length_format, len(data)) + data + b"\0"


def put_array(out, item, values):
    pad(out, 4)
    at = len(out)
    out += b"\0\0\0\0"
    if item[0] in "{(x":
        pad(out, 8)
    start = len(out)
    for value in values.items() if item[0] == "{" else values:
        if item[0] == "{":
            pad(out, 8)
            put(out, item[1], value[0])
            put(out, item[2:-1], value[1])
        else:
            put(out, item, value)
    out[at : at + 4] = struct.pack("<I", len(out) - start)


def put(out, kind, value):
    if kind == "v":
        put(out, "g", value[0])
        put(out, value[0], value[1])
    elif kind == "g":
        put_text(out, value, "<B")
    elif kind[0] == "a":
        put_array(out, kind[1:], value)
    elif kind in "so":
        pad(out, 4)
        put_text(out, value, "<I")
    else:
        pad(out, 4)
        out += struct.pack("<i" if kind == "i" else "<I", int(value))


def make_call(member, kinds, values):
    body, head = bytearray(), bytearray()
    for kind, value in zip(kinds, values):
        put(body, kind, value)
    head += b"l" + bytes([CALL, 0, 1]) + struct.pack("<II", len(body), 1)
    fields = [(FIELD_PATH, "o", PATH), (FIELD_INTERFACE, "s", INTERFACE), (FIELD_MEMBER, "s", member)]
    if kinds:
        fields.append((FIELD_SIGNATURE, "g", "".join(kinds)))
    at = len(head)
    head += b"\0\0\0\0"
    for number, kind, value in fields:
        pad(head, 8)
        head.append(number)
        put(head, "v", [kind, value])
    head[at : at + 4] = struct.pack("<I", len(head) - at - 4)
    pad(head, 8)
    return head + body


def read_message(stream):
    """The type, the header's fields and the body of the next message that is no signal."""
    while True:
        start = stream.read(16)
        if len(start) < 16:
            sys.exit("the connection was closed")
        body_size, _, fields_size = struct.unpack("<III", start[4:])
        fields = stream.read(fields_size + -fields_size % 8)
        body = stream.read(body_size)
        if start[1] != SIGNAL:
            return start[1], fields, body


def read_json(word):
    if not word.startswith("@"):
        return json.loads(word)
    with open(word[1:], encoding="utf-8") as file:
        return json.load(file)


def call(connection, words):
    connection.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\n")
    stream = connection.makefile("rb")
    while not stream.readline().startswith(b"OK"):
        pass
    connection.sendall(b"BEGIN\r\n" + make_call(words[0], words[1::2], [read_json(word) for word in words[2::2]]))
    kind, fields, body = read_message(stream)
    if kind == RETURN:
        print("ok")
        return
    name = re.search(rb"org\.[\w.]*Error\.[\w.]+", fields)
    size = struct.unpack("<I", body[:4])[0]
    print(f"{name.group().decode()}: {body[4:4 + size].decode()}")


def send(connection, chunks):
    connection.settimeout(0.3)
    for chunk in chunks:
        try:
            connection.sendall(bytes.fromhex(chunk))
            connection.recv(4096)
        except OSError:
            pass


with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    connection.settimeout(20)
    if sys.argv[2] == "--bytes":
        send(connection, sys.argv[3:])
    else:
        call(connection, sys.argv[2:])
