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
