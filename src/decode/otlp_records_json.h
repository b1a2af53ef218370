/* otlp_records_json.h - what the JSON readers of spans and logs share. */
#pragma once
#include "decode/otlp_json.h"
#include "decode/otlp_records.h"

/* Which of the keys it is, n: none of them. */
int otlp_json_key(struct str key, const char *const *keys, size_t n);

/* An id of n bytes, or OTLP_NO_ID, for the rules to refuse. */
struct str otlp_json_id(struct json_reader *, struct record_sink *, size_t n);
uint64_t otlp_json_time(struct json_reader *); /* ns; numbers or text of them, RFC 3339 too */
/* A number, or a name with or without its prefix; 0 when it is none of them. */
uint64_t otlp_json_enum(struct json_reader *, const char *prefix, const char *const *names, size_t n);
uint32_t otlp_json_count(struct json_reader *);
struct str otlp_json_text(struct json_reader *, struct record_sink *);

/* AnyValue. False: it cannot be kept, and r stands behind it. */
bool otlp_json_value(struct json_reader *, struct record_sink *, struct value *out);
void otlp_json_pairs(struct json_reader *, struct record_sink *, struct attr_list *);
/* The same as member "attributes" of an object that is being written. */
void otlp_json_members(struct json_reader *, struct record_sink *, struct json_writer *);
