/* cli.h - the subcommands. Each gets the arguments after its name and returns the exit status:
 * 0 done, 1 it went wrong (a sentence on stderr), 2 wrong usage. */
#pragma once

int cli_serve(int argc, char **argv);          /* serve.c */
int cli_query(int argc, char **argv);          /* cli_query.c */
int cli_import(int argc, char **argv);         /* cli_import.c */
int cli_fsck(int argc, char **argv);           /* cli_data.c */
int cli_snapshot(int argc, char **argv);       /* cli_data.c */
int cli_rotate_key(int argc, char **argv);     /* cli_data.c */
int cli_backup(int argc, char **argv);         /* cli_backup.c */
int cli_restore(int argc, char **argv);        /* cli_backup.c */
int cli_export(int argc, char **argv);         /* cli_export.c */
int cli_prices(int argc, char **argv);         /* cli_prices.c */
int cli_doctor(int argc, char **argv);         /* cli_doctor.c */
int cli_rules(int argc, char **argv);          /* cli_rules.c */
int cli_export_grafana(int argc, char **argv); /* cli_grafana.c; after `export grafana` */

#define CLI_SERVER_DEFAULT "http://127.0.0.1:8090"

/* Takes "--name value" or "--name=value" out of argv wherever it stands; NULL when absent. *argc shrinks. */
const char *cli_flag(int *argc, char **argv, const char *name);
int cli_switch(int *argc, char **argv, const char *name); /* 1 when it was there */
/* Complains about what is left that looks like a flag; 0 when there is none, else 2. */
int cli_no_more_flags(int argc, char **argv, const char *usage);
