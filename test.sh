#!/usr/bin/env bash
# Runs all that must pass before a change goes in: formatting, static checks,
# builds for other systems, the tests of every module on the local Go and on
# the next one, what they make of deliberate defects, and the demo.
#
#	./test.sh         everything
#	./test.sh quick   local Go only, no mutations, no builds for other systems
#
# It needs Go, git, npm and a C compiler (for the race detector), and the programs
# of MariaDB, PostgreSQL, Prometheus and Chromium, which it installs if it runs as
# root on Debian. It changes no file of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly next_go=go1.27.4
export GOTOOLCHAIN=local # a newer one is asked for where it is wanted
export GOWORK=off GOFLAGS="${GOFLAGS-} -mod=readonly"
# go build and go run ask git for the version, which fails in a checkout that
# belongs to someone else, and nobody keeps these binaries.
readonly novcs=-buildvcs=false

case "${1-}" in
'') quick=false ;;
quick) quick=true ;;
*)
	echo "usage: $0 [quick]" >&2
	exit 2
	;;
esac

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Steps: each runs, whatever became of those before, and says how long it took.

failed=()

step() {
	local name=$1 began=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	# The condition turns set -e off: the steps keep account of failures.
	if "$@"; then
		printf '== %s: passed in %ds\n' "$name" $((SECONDS - began))
	else
		printf '== %s: FAILED in %ds\n' "$name" $((SECONDS - began))
		failed+=("$name")
	fi
}

# tracked lists the files of the repository, new ones included, by pattern.
tracked() {
	git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard --deduplicate -- "$@"
}

# modules is set to the directories of all modules.
modules=()
find_modules() {
	local file
	while read -r file; do
		modules+=("$(dirname "$file")")
	done < <(tracked go.mod '**/go.mod' | sort)
	((${#modules[@]} > 0))
}

# in_modules runs a command in every module that has packages.
in_modules() {
	local dir packages result=0
	for dir in "${modules[@]}"; do
		packages=$(go -C "$dir" list -e ./... 2>/dev/null) || packages=unknown
		[[ -n $packages ]] || continue # the tools' module has none
		(cd "$dir" && "$@") || { echo "in $dir: failed: $*"; result=1; }
	done
	return $result
}

check_format() {
	local files
	files=$(tracked '*.go' | while read -r f; do [[ ! -e $f ]] || echo "$f"; done | xargs gofmt -l) || return 1
	[[ -z $files ]] || { printf 'not formatted by gofmt:\n%s\n' "$files"; return 1; }
}

check_tidy() {
	local dir result=0
	for dir in "${modules[@]}"; do
		go -C "$dir" mod tidy -diff || { echo "in $dir: go mod tidy would change files"; result=1; }
	done
	return $result
}

check_static() {
	go -C internal/tools build $novcs -o "$tmp/staticcheck" honnef.co/go/tools/cmd/staticcheck || return 1
	in_modules "$tmp/staticcheck" ./...
}

build_for() {
	GOOS=${1%/*} GOARCH=${1#*/} CGO_ENABLED=0 go build $novcs ./...
}

# vet_for also compiles the tests.
vet_for() {
	GOOS=${1%/*} GOARCH=${1#*/} CGO_ENABLED=0 go vet ./...
}

cross_build() {
	local target result=0
	for target in {linux,darwin,windows}/{amd64,arm64} linux/386; do
		build_for "$target" || { echo "$target: build failed"; result=1; }
	done
	for target in darwin/arm64 windows/amd64 linux/386; do
		vet_for "$target" || { echo "$target: vet failed"; result=1; }
	done
	return $result
}

run_tests() {
	GOTOOLCHAIN=$1 in_modules go test -race -count=1 ./...
}

# run_allocations runs the one test that the race detector can't: it allocates too.
run_allocations() {
	GOTOOLCHAIN=$1 go test -C internal/bench -count=1 -run '^TestAllocations' .
}

# run_mutations checks that the tests of the wrapper notice each of two hundred
# defects.
run_mutations() {
	GOTOOLCHAIN=$1 go test -count=1 -run '^TestMutations$' ./driverwrap -mutations
}

# run_plain runs those tests as a debugger's build has them: the wrapper looks
# for some functions among its callers, and usually others are inlined there.
run_plain() {
	GOTOOLCHAIN=$1 go test -count=1 -gcflags='all=-N -l' ./driverwrap
}

# stress_stacks compares captured stacks with the runtime's while garbage is
# collected all the time, with and without preemption at any instruction.
stress_stacks() {
	local off
	for off in 0 1; do
		GOGC=1 GODEBUG=asyncpreemptoff=$off \
			go test -count=1 -run Random ./internal/callstack -captures 200000 || return 1
	done
}

# run_arm64 runs the assembly for arm64, emulated where need be.
run_arm64() {
	local emulator=()
	[[ $(uname -sm) != 'Linux x86_64' ]] || emulator=(-exec qemu-aarch64-static)
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go vet ./internal/callstack ./internal/record || return 1
	[[ $(uname -s) == Linux ]] || { echo 'not run: this is not Linux'; return; }
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go test -count=1 "${emulator[@]}" ./internal/callstack -captures 5000
}

# run_callers runs the tests with the portable way to capture stacks.
run_callers() {
	go test -count=1 -tags=dbleaks_callers ./internal/callstack ./tracker ./driverwrap
}

run_demo() {
	go run -C cmd/demo $novcs . -for 15s
}

finish() {
	local minutes=$((SECONDS / 60)) seconds=$((SECONDS % 60))
	if ((${#failed[@]} > 0)); then
		printf '\nFAIL after %dm%02ds:' $minutes $seconds
		printf ' [%s]' "${failed[@]}"
		printf '\n'
		exit 1
	fi
	printf '\nPASS: everything%s, in %dm%02ds\n' "$1" $minutes $seconds
}

step 'programs' internal/tools/install.sh
((${#failed[@]} == 0)) || finish ''
find_modules || { echo "$0: git finds no go.mod here"; exit 1; }
printf '\n%s; modules: %s\n' "$(go version)" "${modules[*]}"

step 'gofmt' check_format
step 'go mod tidy' check_tidy
step 'go vet' in_modules go vet ./...
step 'staticcheck' check_static
step 'tests' run_tests local
step 'allocations' run_allocations local
if ! $quick; then
	step "tests on $next_go" run_tests "$next_go"
	step "allocations on $next_go" run_allocations "$next_go"
	for go in local "$next_go"; do
		step "mutations, $go" run_mutations "$go"
		step "not optimised, $go" run_plain "$go"
	done
	step 'stacks under stress' stress_stacks
	step 'stacks on arm64' run_arm64
	step 'stacks by runtime.Callers' run_callers
	step 'builds for other systems' cross_build
fi
step 'demo' run_demo
if $quick; then finish " but mutations, $next_go and other systems"; else finish ''; fi
