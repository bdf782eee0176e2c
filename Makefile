# SPDX-License-Identifier: Apache-2.0

GO       ?= go
FUZZTIME ?= 20s
DEMO_ARGS ?=

WEIR     := build/weir
NGINX     = $(or $(shell PATH="$$PATH:/usr/sbin" command -v nginx),build/nginx/usr/sbin/nginx)
LINTER   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# Tests in network namespaces measure times: one package after another, and nothing else meanwhile.
UNIT      = $(shell $(GO) list ./... | grep -v /weir/test/)

# Debian's packages, by what needs them.
BUILD_PACKAGES    := gcc libc6-dev libssl-dev
TEST_PACKAGES     := $(BUILD_PACKAGES) openssl gnutls-bin
GENERATE_PACKAGES := clang llvm libbpf-dev linux-libc-dev
VM_PACKAGES       := $(TEST_PACKAGES) qemu-system-x86 busybox-static libbz2-1.0 libstdc++6 tshark
NGINX_PACKAGES    := libpcre2-8-0 zlib1g libssl3 libcrypt1

# The core that a benchmark has, more or less, to itself.
BENCH_CORE ?= 1

.PHONY: help demo build test test-unit test-vm test-vm-bpf generate generate-check lint fuzz bench bench-handlespace bench-bpf clean go root nginx
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

demo: root build nginx ## show a whole deployment on real traffic (root; DEMO_ARGS="--json" or "--keep")
	@$(WEIR) demo --nginx $(NGINX) $(DEMO_ARGS)

build: go ## build build/weir
	$(call install,$(BUILD_PACKAGES))
	@$(GO) build -o $(WEIR) ./cmd/weir

test: root go ## run everything: vet, unit tests, BPF, network namespaces, the demo's checks, the VM (root)
	$(call install,$(TEST_PACKAGES))
	@echo "== go vet"
	@$(GO) vet ./...
	@echo "== unit tests and fuzz seeds, with the race detector"
	@$(GO) test -race $(UNIT)
	@echo "== tests in network namespaces"
	@$(GO) test -p 1 -count=1 ./test/...
	@echo "== the demo's checks"
	@$(MAKE) --no-print-directory demo
	@echo "== SCTP, rsplib and an older kernel"
	@$(MAKE) --no-print-directory test-vm

test-unit: go ## run the tests outside test/; what needs root is skipped without it
	$(call install,$(TEST_PACKAGES))
	@$(GO) test -race $(UNIT)

test-vm: go ## run what needs SCTP, and the data plane, on Debian 12's kernel 6.1 in a virtual machine
	$(call install,$(VM_PACKAGES))
	@test/vm/run.sh

test-vm-bpf: go ## run all of the data plane's tests on kernel 6.1 in that machine (about 40 minutes)
	$(call install,$(VM_PACKAGES))
	@VM_LIMIT=5400 test/vm/run.sh ./loader ./maps ./test/bpf

generate: go ## compile the BPF programs and generate their Go
	$(call install,$(GENERATE_PACKAGES))
	@$(GO) generate ./bpf

# The copy's name begins with a dot, so that ./... does not see it.
generate-check: go ## check that the committed BPF objects are what their sources give
	$(call install,$(GENERATE_PACKAGES))
	@rm -rf build/.generate && mkdir -p build/.generate
	@cp bpf/*.go bpf/*.c bpf/*.h build/.generate/ && rm -f build/.generate/*_bpfel.go
	@cd build/.generate && $(GO) generate .
	@for f in bpf/*_bpfel.*; do cmp "$$f" "build/.generate/$${f#bpf/}" || \
		{ echo "$$f is not what the sources give: run make generate" >&2; exit 1; }; done
	@rm -rf build/.generate
	@echo "The committed BPF objects are what their sources give."

lint: go ## run the linters, which also hold the layers (the first time they are compiled: minutes)
	$(call install,$(BUILD_PACKAGES))
	@$(GO) run $(LINTER) run

fuzz: go ## run each fuzz target for FUZZTIME (20s)
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do \
		for target in $$($(GO) test -list '^Fuzz' $$dir | grep '^Fuzz'); do \
			echo "== $$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; \
	done

bench: go ## run the benchmarks
	@$(GO) test -run '^$$' -bench . -benchmem $(UNIT)

bench-handlespace: go ## measure registrations, resolutions and memory of large pools (docs/bench/handlespace.txt)
	@$(GO) build -o build/bench-handlespace ./test/bench/handlespace
	@taskset -c $(BENCH_CORE) build/bench-handlespace $(BENCH_ARGS)

bench-bpf: root ## measure the XDP program: what a packet costs (root; docs/bench/datapath.txt)
	@$(GO) build -o build/bench-bpf ./test/bench/datapath
	@taskset -c $(BENCH_CORE) build/bench-bpf $(BENCH_ARGS)

clean: ## remove what was built
	@rm -rf build

go:
	@command -v $(GO) >/dev/null || { echo "Go 1.26 or later is needed, and there is no $(GO) on PATH." >&2; exit 1; }

root:
	@[ "$$(id -u)" = 0 ] || { echo "This needs root, for network namespaces and BPF: sudo make $(MAKECMDGOALS)" >&2; exit 1; }

# The binary alone, unpacked: installing the package would start a service.
nginx:
	@[ ! -x "$(NGINX)" ] || exit 0; \
	command -v apt-get >/dev/null || { echo "Install nginx, so that it is on PATH; it need not run." >&2; exit 1; }; \
	echo "Fetching nginx's package, to unpack it into build/nginx"; \
	mkdir -p build/nginx && cd build/nginx && apt-get -qq update && \
	apt-get -qq -o APT::Sandbox::User=root download nginx && dpkg -x nginx_*.deb . && rm -f nginx_*.deb
	@[ "$(NGINX)" != build/nginx/usr/sbin/nginx ] || { $(call missing,$(NGINX_PACKAGES)); }

# $(call install,NAMES) installs those of Debian's packages that are missing.
install = @$(missing)

define missing
command -v dpkg-query >/dev/null || { echo "Not Debian: taking for granted what Debian calls $(1)."; exit 0; }; \
	missing=; for p in $(1); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' ok installed' || missing="$$missing $$p"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	[ "$$(id -u)" = 0 ] || { echo "Missing packages:$$missing. Install them, or run make as root." >&2; exit 1; }; \
	echo "Installing$$missing"; mkdir -p build; \
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing; } \
		>build/apt.log 2>&1 || { cat build/apt.log >&2; exit 1; }
endef
