/* ip.h - ip("192.168.0.0/16"): one address, a prefix, or a range "from-to", of IPv4 or IPv6. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct ip_set;

int ip_set_new(struct str text, struct arena *, struct ip_set **out, struct err *); /* ERR_PARSE */
bool ip_set_has(const struct ip_set *, struct str address);  /* the whole text is an address in it */
bool ip_set_in_line(const struct ip_set *, struct str line); /* some address in the line is */
