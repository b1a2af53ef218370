/* main.c - one program, many subcommands. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "server/cli.h"
#include "server/version.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    { "serve", cli_serve, "run the server" },
    { "query", cli_query, "ask a running server a PromQL question" },
    { "import", cli_import, "send files of metrics to a running server" },
    { "export", cli_export, "write history of a running server into a CSV or JSON file" },
    { "fsck", cli_fsck, "check every byte of a data directory" },
    { "snapshot", cli_snapshot, "make a consistent copy of a data directory" },
    { "rotate-key", cli_rotate_key, "give an encrypted data directory another key file" },
    { "backup", cli_backup, "copy what is new into a backup, list, check or prune backups" },
    { "restore", cli_restore, "make a data directory of a backup" },
    { "rules", cli_rules, "check rule files, and run their unit tests" },
    { "prices", cli_prices, "what models cost: list, check a file, show a model" },
    { "doctor", cli_doctor, "look for what would keep the server from working well here" },
};

static int help(FILE *to, int status)
{
    fprintf(to, "Vedette watches AI agents in production: metrics, PromQL, pages, one process.\n\nusage: "
                "vedette COMMAND [ARGUMENTS]\n\n");
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n`vedette COMMAND --help` tells the rest.\n");
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0)
        return printf("vedette %s\n", VEDETTE_VERSION), 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help(stdout, 0);
    return help(stderr, 2);
}
