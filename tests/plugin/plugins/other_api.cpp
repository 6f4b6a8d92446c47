#include "hand_made.h"

// Of a record with another API number nothing else may be read: its layout may differ.
HAND_MADE_PLUGIN(astroclip::plugin::record_magic, 4711, nullptr)
