/* version.h - who we are, and whose API we speak. */
#pragma once

#define VEDETTE_VERSION        "0.1.0"
/* Clients decide by this what they may ask: the Prometheus release whose HTTP API and PromQL are matched. */
#define PROMETHEUS_API_VERSION "3.14.0"
