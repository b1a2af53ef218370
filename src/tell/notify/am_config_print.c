/* am_config_print.c - the file as /api/v2/status shows it: what amtool and Grafana read routes from.
 *
 * The tree is printed again, with quotes around every text that might be read as something else. Values of
 * keys that hold secrets become <secret>; of a URL that may hold one only scheme and host stay. Keys that
 * only we know are left out, since amtool is strict. */
#include "base/check.h"
#include "tell/notify/am_config_impl.h"

#define PRINT_MAX (16u << 20)

static bool is_among(struct str s, const char *const *list)
{
    for (; *list != NULL; list++)
        if (str_is(s, *list)) return true;
    return false;
}

static const char *const secret_keys[] = { "password",
                                           "secret",
                                           "token",
                                           "bearer_token",
                                           "credentials",
                                           "client_secret",
                                           "key",
                                           "api_key",
                                           "bot_token",
                                           "app_token",
                                           "routing_key",
                                           "service_key",
                                           "user_key",
                                           "api_secret",
                                           "secret_key",
                                           "access_key",
                                           "auth_password",
                                           "auth_secret",
                                           "smtp_auth_password",
                                           "smtp_auth_secret",
                                           "slack_api_url",
                                           "slack_app_token",
                                           "opsgenie_api_key",
                                           "victorops_api_key",
                                           "wechat_api_secret",
                                           "telegram_bot_token",
                                           "rocketchat_token",
                                           "rocketchat_token_id",
                                           "token_id",
                                           "secrets",
                                           "webhook_url",
                                           "alert_source_token",
                                           "mattermost_webhook_url",
                                           NULL };

static const char *const own_keys[] = { "escalations",       "maintenance_windows",
                                        "flap_damping",      "cascade",
                                        "cascade_detection", "hmac_secret",
                                        "hmac_secret_file",  NULL };

/* Of Slack and Mattermost the URL is the secret; elsewhere it names the vendor. */
static bool is_secret(struct str section, struct str key)
{
    if (is_among(key, secret_keys)) return true;
    return str_is(key, "api_url") &&
           (str_is(section, "slack_configs") || str_is(section, "mattermost_configs"));
}

static bool is_url(struct str key)
{
    return str_is(key, "url") || str_is(key, "proxy_url") || str_is(key, "api_url");
}

static void put_quoted(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_cs(b, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_char(b, (char)c);
    }
    buf_char(b, '"');
}

/* Without user:password and with a path or query of unknown worth hidden. */
static void put_url(struct buf *b, struct str url)
{
    const char *slashes = memmem(url.p, url.n, "://", 3);
    size_t from = slashes ? (size_t)(slashes - url.p) + 3 : 0, end = from;
    while (end < url.n && memchr("/?#", url.p[end], 3) == NULL) end++;
    size_t host = from;
    for (size_t i = from; i < end; i++)
        if (url.p[i] == '@') host = i + 1;
    buf_printf(b, "\"%.*s%.*s%s\"", (int)from, url.p, (int)(end - host), url.p + host,
               end + 1 < url.n ? "/<secret>" : "");
}

static void put_scalar(struct buf *b, struct str section, struct str key, const struct yaml *y)
{
    if (is_secret(section, key))
        buf_cs(b, "<secret>");
    else if (is_url(key))
        put_url(b, y->text);
    else if (y->quoted || memchr(y->text.p, '\n', y->text.n) != NULL)
        put_quoted(b, y->text);
    else
        buf_str(b, y->text);
}

static void put_node(struct buf *, const struct yaml *, size_t indent, struct str section, struct str key);

static void put_map(struct buf *b, const struct yaml *y, size_t indent, struct str section)
{
    size_t shown = 0;
    for (size_t i = 0; i < y->n; i++) {
        if (is_among(y->keys[i], own_keys)) continue;
        if (shown++ > 0) buf_printf(b, "%*s", (int)indent, "");
        bool plain = label_name_is_plain(y->keys[i]);
        if (plain)
            buf_str(b, y->keys[i]);
        else
            put_quoted(b, y->keys[i]);
        buf_char(b, ':');
        put_node(b, y->items[i], indent, section, y->keys[i]);
    }
    if (shown == 0) buf_cs(b, "{}\n");
}

static void put_list(struct buf *b, const struct yaml *y, size_t indent, struct str section, struct str key)
{
    buf_char(b, '\n');
    for (size_t i = 0; i < y->n; i++) {
        const struct yaml *item = y->items[i];
        buf_printf(b, "%*s-", (int)indent, "");
        if (item->kind == YAML_MAP) {
            buf_char(b, ' ');
            put_map(b, item, indent + 2, section);
        } else {
            put_node(b, item, indent + 2, section, key);
        }
    }
}

/* What follows a key or a dash. */
static void put_node(struct buf *b, const struct yaml *y, size_t indent, struct str section, struct str key)
{
    struct str below = str_ends(key, "_configs") ? key : section;
    switch (y->kind) {
    case YAML_NULL: buf_cs(b, " null\n"); break;
    case YAML_SCALAR:
        buf_char(b, ' ');
        put_scalar(b, section, key, y);
        buf_char(b, '\n');
        break;
    case YAML_LIST:
        if (y->n == 0)
            buf_cs(b, " []\n");
        else
            put_list(b, y, indent, below, key);
        break;
    case YAML_MAP:
        if (y->n == 0) {
            buf_cs(b, " {}\n");
            break;
        }
        buf_printf(b, "\n%*s", (int)indent + 2, "");
        put_map(b, y, indent + 2, below);
        break;
    }
}

struct str am_config_print(const struct yaml *root, struct arena *a)
{
    struct buf b = BUF_INIT(PRINT_MAX);
    put_map(&b, root, 0, STR(""));
    struct str out = arena_str(a, b.full ? STR("# too long to be shown\n") : buf_view(&b));
    buf_release(&b);
    return out;
}

bool am_global_is_known(struct str key)
{
    static const char *const known[] = { "resolve_timeout",
                                         "http_config",
                                         "smtp_from",
                                         "smtp_hello",
                                         "smtp_smarthost",
                                         "smtp_auth_username",
                                         "smtp_auth_password",
                                         "smtp_auth_password_file",
                                         "smtp_auth_secret",
                                         "smtp_auth_secret_file",
                                         "smtp_auth_identity",
                                         "smtp_require_tls",
                                         "smtp_tls_config",
                                         "smtp_force_implicit_tls",
                                         "slack_api_url",
                                         "slack_api_url_file",
                                         "slack_app_token",
                                         "slack_app_token_file",
                                         "slack_app_url",
                                         "pagerduty_url",
                                         "opsgenie_api_url",
                                         "opsgenie_api_key",
                                         "opsgenie_api_key_file",
                                         "wechat_api_url",
                                         "wechat_api_secret",
                                         "wechat_api_secret_file",
                                         "wechat_api_corp_id",
                                         "victorops_api_url",
                                         "victorops_api_key",
                                         "victorops_api_key_file",
                                         "telegram_api_url",
                                         "telegram_bot_token",
                                         "telegram_bot_token_file",
                                         "webex_api_url",
                                         "rocketchat_api_url",
                                         "rocketchat_token",
                                         "rocketchat_token_file",
                                         "rocketchat_token_id",
                                         "rocketchat_token_id_file",
                                         "jira_api_url",
                                         "mattermost_webhook_url",
                                         "mattermost_webhook_url_file",
                                         NULL };
    return is_among(key, known);
}
