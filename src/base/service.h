/* What systemd is told by a service of Type=notify, over the socket that NOTIFY_SOCKET names. Without it nothing is told. */
#ifndef TF_BASE_SERVICE_H
#define TF_BASE_SERVICE_H

#include <stdint.h>

/* Sends lines as sd_notify(3) has them: "READY=1\nSTATUS=…". A failure is harmless and ignored. */
void tf_service_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often, in milliseconds, WATCHDOG=1 is to be told: half of what the unit allows; 0: never. */
int64_t tf_service_watchdog_ms(void);

#endif
