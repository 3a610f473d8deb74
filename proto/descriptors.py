"""Writes what gRPC server reflection tells of the .proto files: descriptors.c and include/descriptors.h.

Usage: descriptors.py DESCRIPTOR_SET DIRECTORY. The set is a google.protobuf.FileDescriptorSet; all that is read of
it are lengths, names and imports, by the field numbers of descriptor.proto.
"""

import pathlib
import sys


def varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def fields(data):
    """The number and the content of every field that has a length. Descriptors have only varints besides."""
    position = 0
    while position < len(data):
        key, position = varint(data, position)
        value, position = varint(data, position)
        if key & 7 == 2:
            yield key >> 3, data[position : position + value]
            position += value
        else:
            assert key & 7 == 0, f"a field of wire type {key & 7}"


def texts(data, number):
    return [content.decode() for field, content in fields(data) if field == number]


# What a descriptor declares: the numbers of the fields, and what kind of descriptor they hold.
PARTS = {
    "file": {4: "message", 5: "enum", 6: "service"},
    "message": {2: "field", 3: "message", 4: "enum", 8: "oneof"},
    "enum": {2: "value"},
    "service": {2: "method"},
}


def symbols(data, kind, scope):
    """The full names of all that a descriptor declares in `scope`, its own first."""
    name = scope
    if kind != "file":
        name = ".".join(filter(None, [scope, texts(data, 1)[0]]))
        yield name
    for number, content in fields(data):
        if part := PARTS.get(kind, {}).get(number):
            # The values of an enum are named beside it.
            yield from symbols(content, part, scope if kind == "enum" else name)


def names(identifier, values):
    lines = [f"static const char *const {identifier}[] = {{"]
    lines += [f'  "{value}",' for value in values]
    return lines + ["  NULL", "};"]


HEADER = """\
/* Made by proto/generate. */
#ifndef STACKMETER_DESCRIPTORS_H
#define STACKMETER_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

/* One .proto file. */
typedef struct StackmeterProtoFile {
  const char *name;
  /* A google.protobuf.FileDescriptorProto. */
  const uint8_t *descriptor;
  size_t descriptor_size;
  /* The names of the files that it imports; the last is followed by NULL. */
  const char *const *imports;
  /* The full names of all that it declares; the last is followed by NULL. */
  const char *const *symbols;
} StackmeterProtoFile;

/* The file at an index from 0; NULL past the last. */
const StackmeterProtoFile *stackmeter_proto_file(size_t index);

#endif
"""


def source(files):
    lines = ["/* Made by proto/generate. */", '#include "descriptors.h"', ""]
    for index, data in enumerate(files):
        lines += [f"/* {texts(data, 1)[0]} */", f"static const uint8_t descriptor_{index}[] = {{"]
        for start in range(0, len(data), 16):
            lines.append("  " + " ".join(f"0x{byte:02x}," for byte in data[start : start + 16]))
        lines += ["};"]
        lines += names(f"imports_{index}", texts(data, 3))
        lines += names(f"symbols_{index}", symbols(data, "file", "".join(texts(data, 2))))
        lines += [""]
    lines += ["static const StackmeterProtoFile files[] = {"]
    for index, data in enumerate(files):
        lines += [
            f'  {{"{texts(data, 1)[0]}", descriptor_{index}, sizeof descriptor_{index},',
            f"   imports_{index}, symbols_{index}}},",
        ]
    lines += [
        "};",
        "",
        "const StackmeterProtoFile *stackmeter_proto_file(size_t index) {",
        "  return index < sizeof files / sizeof files[0] ? &files[index] : NULL;",
        "}",
    ]
    return "\n".join(lines) + "\n"


descriptor_set, directory = map(pathlib.Path, sys.argv[1:])
files = [content for number, content in fields(descriptor_set.read_bytes()) if number == 1]
(directory / "descriptors.c").write_text(source(files))
(directory / "include" / "descriptors.h").write_text(HEADER)
