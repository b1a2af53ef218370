/* alert.c - the identity of an alert. */
#include "model/alert.h"

static uint64_t fnv1a(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3u;
    return (h ^ 0xff) * 0x100000001b3u; /* a byte no UTF-8 text holds ends each word */
}

uint64_t alert_fingerprint(struct labels l)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < l.n; i++) h = fnv1a(fnv1a(h, l.at[i].name), l.at[i].value);
    return h;
}
