/* otlp_any.h - OTLP's KeyValue and AnyValue in protobuf's wire form. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "decode/protobuf.h"

/* The parts of a KeyValue, empty when absent; false: the reader has failed. */
bool otlp_key_value(struct pb *r, struct str message, struct str *key, struct str *value);

/* AnyValue: the last of its fields, whatever came before; tag 0: none. */
bool otlp_any_last(struct pb *r, struct str message, struct pb_field *last);

/* AnyValue as JSON, bytes as base64. Always writes one value, after an error too: the writer expects it. */
bool otlp_any_json(struct pb *r, struct str message, int depth, struct arena *a, struct json_writer *w);
