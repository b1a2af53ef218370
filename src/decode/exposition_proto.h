/* exposition_proto.h - the protobuf side of exposition.h; for exposition.c only. */
#pragma once
#include "decode/exposition.h"

void exposition_proto_family_end(struct exposition *);
void exposition_proto_sample(struct exposition *, const struct exposition_sample *);
