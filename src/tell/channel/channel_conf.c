/* channel_conf.c - what the configurations of all channels have in common: secrets beside files, URLs, and
 * how to reach an HTTP server. */
#include "net/outbound.h"
#include "tell/channel/channel_impl.h"

void channel_reader(struct reader *r, const struct channel_defaults *d, struct arena *a, struct err *e)
{
    *r = (struct reader){ .arena = a, .e = e, .dir = arena_str(a, d->base_dir.p ? d->base_dir : STR("")).p };
}

static void read_both(struct reader *r, struct yaml *map, const char *key, struct secret *out)
{
    const char *file_key = arena_printf(r->arena, "%s_file", key).p;
    struct yaml *y = yaml_get(map, key);
    read_cstr(r, map, key, &out->text);
    read_path(r, map, file_key, &out->file);
    if (out->text != NULL && *out->text == 0) out->text = NULL;
    if (out->text != NULL && out->file != NULL)
        read_fail(r, y->line, "at most one of %s & %s must be configured", key, file_key);
}

void channel_read_secret(struct reader *r, struct yaml *map, const char *key,
                         const struct channel_defaults *d, const char *global_key, struct secret *out)
{
    read_both(r, map, key, out);
    if (!secret_is_given(out) && global_key != NULL && d->global != NULL)
        read_both(r, d->global, global_key, out);
}

void channel_read_url(struct reader *r, struct yaml *map, const char *key, const struct channel_defaults *d,
                      const char *global_key, struct secret *out)
{
    channel_read_secret(r, map, key, d, global_key, out);
    if (r->rc < 0) return;
    if (!secret_is_given(out))
        return read_fail(r, map->line, "one of %s or %s_file must be configured", key, key);
    if (out->text != NULL && strstr(out->text, "{{") == NULL && !http_url_is_web(out->text))
        read_fail(r, map->line, "%s: expected an http or https URL", key); /* which is a secret: not shown */
}

void channel_read_http(struct reader *r, struct yaml *map, const struct channel_defaults *d,
                       struct channel_http *out)
{
    static struct yaml nothing = { .kind = YAML_MAP };
    struct yaml *conf = read_map(r, map, "http_config");
    if (conf == NULL && d->global != NULL) conf = read_map(r, d->global, "http_config");
    http_conf_read(r, conf ? conf : &nothing, &out->conf);
    out->conf.follow_redirects = false;
    out->outbound = d->outbound ? d->outbound : outbound_public_only();
}

void channel_read_timeout(struct reader *r, struct yaml *map, struct channel_http *http)
{
    struct yaml *y = yaml_get(map, "timeout");
    if (y != NULL && !str_is(y->text, "0") && !str_is(y->text, "0s"))
        read_duration(r, map, "timeout", &http->timeout_ms);
}

void channel_read_template(struct reader *r, struct yaml *map, const char *key, const char **out)
{
    struct err why = ERR_INIT;
    read_cstr(r, map, key, out);
    if (r->rc < 0 || yaml_get(map, key) == NULL || strstr(*out, "{{") == NULL) return;
    if (notify_template_check(str_of(*out), &why) < 0)
        read_fail(r, yaml_get(map, key)->line, "%s: %s", key, why.text);
}
