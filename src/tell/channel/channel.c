/* channel.c - which kinds of receivers there are. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

static const struct channel_kind *const kinds[] = {
    &channel_webhook,   &channel_slack,   &channel_email,   &channel_pagerduty, &channel_opsgenie,
    &channel_msteamsv2, &channel_msteams, &channel_discord, &channel_telegram,  &channel_mattermost,
};

const struct channel_kind *channel_kind(struct str key)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_is(key, kinds[i]->key)) return kinds[i];
    return NULL;
}

/* Of every version of Alertmanager up to 0.34. */
bool channel_is_foreign(struct str key)
{
    static const char *const foreign[] = { "victorops_configs",  "pushover_configs",  "webex_configs",
                                           "sns_configs",        "jira_configs",      "wechat_configs",
                                           "rocketchat_configs", "incidentio_configs" };
    for (size_t i = 0; i < COUNT(foreign); i++)
        if (str_is(key, foreign[i])) return true;
    return false;
}
