/* An imitation of NVIDIA's management library (libnvidia-ml.so.1), for machines without a GPU.
 * It answers what dask-cuda and distributed ask at a worker's start. IMITATED_GPUS: how many there are (1). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };
#define MOST 16
typedef struct { unsigned index; } *device;
static struct { unsigned index; } devices[MOST];

static unsigned count(void) {
    const char *text = getenv("IMITATED_GPUS");
    unsigned found = text ? (unsigned)atoi(text) : 1;
    return found > MOST ? MOST : found;
}
static void uuid_of(unsigned index, char *text, unsigned size) {
    snprintf(text, size, "GPU-00000000-0000-0000-0000-%012u", index);
}
int nvmlInitWithFlags(unsigned flags) { (void)flags; return SUCCESS; }
int nvmlInit_v2(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "imitated"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, "580.0.0"); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *found) { *found = count(); return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *found) {
    if (index >= count()) return INVALID_ARGUMENT;
    devices[index].index = index;
    *found = (device)&devices[index];
    return SUCCESS;
}
int nvmlDeviceGetHandleByUUID(const char *wanted, device *found) {
    char uuid[64];
    for (unsigned index = 0; index < count(); index++) {
        uuid_of(index, uuid, sizeof uuid);
        if (!strcmp(uuid, wanted)) return nvmlDeviceGetHandleByIndex_v2(index, found);
    }
    return NOT_FOUND;
}
int nvmlDeviceGetIndex(device one, unsigned *index) { *index = one->index; return SUCCESS; }
int nvmlDeviceGetUUID(device one, char *text, unsigned size) { uuid_of(one->index, text, size); return SUCCESS; }
int nvmlDeviceGetName(device one, char *text, unsigned size) {
    snprintf(text, size, "Imitated GPU %u", one->index);
    return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(device one, uint64_t *total_free_used) {
    (void)one;
    total_free_used[0] = 16ull << 30, total_free_used[1] = 15ull << 30, total_free_used[2] = 1ull << 30;
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(device one, unsigned *gpu_memory) {
    (void)one;
    gpu_memory[0] = 7, gpu_memory[1] = 3;
    return SUCCESS;
}
int nvmlDeviceGetCpuAffinity(device one, unsigned size, uint64_t *set) {
    (void)one;
    for (unsigned word = 0; word < size; word++) set[word] = word ? 0 : 3;
    return SUCCESS;
}
int nvmlDeviceGetMigMode(device one, unsigned *now, unsigned *later) {
    (void)one, (void)now, (void)later;
    return NOT_SUPPORTED;
}
int nvmlDeviceIsMigDeviceHandle(device one, unsigned *is) { (void)one; *is = 0; return SUCCESS; }
int nvmlDeviceGetComputeRunningProcesses_v2(device one, unsigned *found, void *rows) {
    (void)one, (void)rows;
    *found = 0;
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(device one, unsigned *found, void *rows) {
    return nvmlDeviceGetComputeRunningProcesses_v2(one, found, rows);
}
