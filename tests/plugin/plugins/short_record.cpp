#include "plugin/record.h"

// What is behind the symbol is not the record's and must not be read.
extern "C" __attribute__((visibility("default"))) constinit const uint64_t astroclip_plugin_record =
    astroclip::plugin::record_magic;
