# The two main commands: make quickstart, make test. For everything else use CMake (see CMakePresets.json).
BUILD := build
PRESET := release
CORES := $(shell nproc)
SOURCES = $(shell find core plugins templates tests -name '*.cpp' -o -name '*.h')

.PHONY: quickstart program build test faults check docs archive packages clean

quickstart: program
	$(BUILD)/bin/astroclip run experiments/quickstart.toml

# The program and its plugins, without the tests.
program: packages
	cmake --preset $(PRESET)
	cmake --build $(BUILD) --target program

build: packages
	cmake --preset $(PRESET)
	cmake --build $(BUILD)

test: build
	ctest --test-dir $(BUILD) --output-on-failure

# Injects 200 faults into the writes of runs (docs/hardening.md).
faults: build
	cmake --build $(BUILD) --target faults

# Include directions, and clang-format and clang-tidy if they are installed.
check: build
	tools/check_includes
	@if command -v clang-format >/dev/null; then clang-format --dry-run -Werror $(SOURCES); \
	else echo "clang-format is not installed: skipped"; fi
	@if command -v clang-tidy >/dev/null; then \
	  find core plugins -name '*.cpp' | xargs -P $(CORES) -n 4 clang-tidy -p $(BUILD) --quiet --warnings-as-errors='*' 2>&1 | \
	  { ! grep -v ' warnings generated'; }; \
	else echo "clang-tidy is not installed: skipped"; fi

# Regenerates the pages made from schemas, and the list of rooms.
docs: build
	tools/floors --write
	$(BUILD)/bin/astroclip describe experiment --markdown > docs/reference.md
	$(BUILD)/bin/astroclip describe --markdown > docs/plugins.md

# Writes build/astroclip-VERSION-SYSTEM.tar.gz, which runs from any folder.
archive: build
	cd $(BUILD) && cpack

packages:
	@tools/install_packages.sh

clean:
	rm -rf $(BUILD) build-debug build-asan build-tsan
