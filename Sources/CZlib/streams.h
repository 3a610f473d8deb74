// zlib's streams. Its macros pass the version and size of the header, which Swift cannot.
#pragma once

#include <zlib.h>

/// Begins a stream that makes gzip. Returns Z_OK, or a code of zlib's.
static inline int stackmeter_gzip_begin(z_stream *stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// Begins a stream that reads gzip. Returns Z_OK, or a code of zlib's.
static inline int stackmeter_gunzip_begin(z_stream *stream) {
  return inflateInit2(stream, 15 + 16);
}
