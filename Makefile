# Two commands do everything: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# A JDK new enough, even where the default java is older; see bin/find-jdk.
JDK := $(shell bin/find-jdk 2> /dev/null)
export JAVA_HOME := $(JDK)
MVN := bin/quiet-mvn

.PHONY: help build test demo bench fuzz schema format clean jdk

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

jdk:
	@bin/find-jdk > /dev/null

build: jdk ## compile and make bin/smelt runnable
	@$(MVN) -DskipTests package
	@bin/make-aot

test: jdk ## every check: formatting, static analysis, unit, contract and command-line tests
	@rm -rf */target/surefire-reports
	@$(MVN) spotless:check verify
	@bin/make-aot
	@bin/check-launcher
	@bin/test-summary

demo: build ## run the main job on testdata and write a report
	@bin/demo

bench: build ## measure; see docs/results.md
	@bin/bench

fuzz: jdk ## bounds and promises of clusters on 3,000 random families; minutes
	@$(MVN) -pl formats,gpu,compress -am test -Dtest='GrowthTest,ClustererTest' -Dsmelt.families=3000 -Dsurefire.failIfNoSpecifiedTests=false
	@echo "no bound or promise broke"

schema: jdk ## write docs/recipe.schema.json and docs/merge-methods.md anew, after a change of a method's parameters
	@$(MVN) -pl formats,gpu,merge -am test -Dtest=RecipeSchemaTest,MethodsPageTest -Dsmelt.update=true -Dsurefire.failIfNoSpecifiedTests=false

format: jdk ## apply the house formatting
	@$(MVN) spotless:apply

clean: ## remove everything that was built
	@rm -rf demo target */target
