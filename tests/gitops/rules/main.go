// What GitOps tools make of Kubernetes objects, by their own rules. Reads a JSON list of questions from standard input
// and writes a JSON list of answers, in their order.
//
// Argo CD's side runs scripts with Argo CD's Lua (gopher-lua) in a sandbox like its own; Flux's side is its own code.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// question is about one object; what is left empty is not answered.
type question struct {
	Object json.RawMessage `json:"object"`
	// Health, Discovery and Action are Lua scripts of Argo CD.
	Health    string `json:"health"`
	Discovery string `json:"discovery"`
	Action    string `json:"action"`
	// Expressions are an entry of healthCheckExprs of Flux's Kustomization.
	Expressions *kustomize.HealthCheckExpressions `json:"expressions"`
}

type answer struct {
	Argo        *verdict         `json:"argo,omitempty"`
	Kstatus     *verdict         `json:"kstatus,omitempty"`
	Expressions *verdict         `json:"expressions,omitempty"`
	Actions     map[string]offer `json:"actions,omitempty"`
	Changes     []change         `json:"changes,omitempty"`
}

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func ask(asked question) (*answer, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(asked.Object); err != nil {
		return nil, fmt.Errorf("the object: %w", err)
	}
	// As in Flux, a status that cannot be read is an unknown one.
	found := &answer{Kstatus: &verdict{status.UnknownStatus.String(), ""}}
	result, err := status.Compute(object)
	if err == nil {
		found.Kstatus = &verdict{result.Status.String(), result.Message}
	} else {
		found.Kstatus.Message = err.Error()
	}
	if asked.Health != "" {
		found.Argo = argoHealth(object, asked.Health)
	}
	if asked.Discovery != "" {
		if found.Actions, err = argoActions(object, asked.Discovery); err != nil {
			return nil, fmt.Errorf("the discovery script: %w", err)
		}
	}
	if asked.Action != "" {
		if found.Changes, err = argoChanges(object, asked.Action); err != nil {
			return nil, fmt.Errorf("the action script: %w", err)
		}
	}
	if asked.Expressions != nil {
		if found.Expressions, err = fluxHealth(object, asked.Expressions); err != nil {
			return nil, fmt.Errorf("the expressions: %w", err)
		}
	}
	return found, nil
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		fail("standard input", err)
	}
	answers := make([]*answer, 0, len(questions))
	for index, each := range questions {
		found, err := ask(each)
		if err != nil {
			fail(fmt.Sprintf("question %d", index), err)
		}
		answers = append(answers, found)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fail("standard output", err)
	}
}

func fail(where string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", where, err)
	os.Exit(1)
}
