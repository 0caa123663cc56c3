package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

// Of an object with this finalizer, which it puts on its hooks, Argo CD asks the health even if it is being deleted.
const hookFinalizer = "argocd.argoproj.io/hook-finalizer"

var healthCodes = []string{"Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing"}

// offer is an action that Argo CD shows.
type offer struct {
	Disabled    bool   `json:"disabled"`
	DisplayName string `json:"displayName"`
	IconClass   string `json:"iconClass"`
}

// change is what an action does: a merge patch of the object, or an object to create.
type change struct {
	Operation string          `json:"operation"`
	Patch     json.RawMessage `json:"patch,omitempty"`
	Resource  map[string]any  `json:"resource,omitempty"`
}

// argoHealth is the health of an object as the application has it. A script that fails makes it Unknown.
func argoHealth(object *unstructured.Unstructured, script string) *verdict {
	if object.GetDeletionTimestamp() != nil && !slices.Contains(object.GetFinalizers(), hookFinalizer) {
		return &verdict{"Progressing", "Pending deletion"}
	}
	found := &verdict{}
	switch encoded, err := run(object, script); {
	case err != nil:
		return &verdict{"Unknown", err.Error()}
	case string(encoded) == "null" || string(encoded) == "[]":
		return &verdict{}
	default:
		if err := json.Unmarshal(encoded, found); err != nil {
			return &verdict{"Unknown", err.Error()}
		}
	}
	if !slices.Contains(healthCodes, found.Status) {
		return &verdict{"Unknown", fmt.Sprintf("%q is no health", found.Status)}
	}
	return found
}

// argoActions are the actions that are offered for an object. An empty table of Lua is an empty list of JSON.
func argoActions(object *unstructured.Unstructured, script string) (map[string]offer, error) {
	encoded, err := run(object, script)
	if err != nil || string(encoded) == "[]" {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &raw); err != nil {
		return nil, err
	}
	found := map[string]offer{}
	for name, each := range raw {
		shown := offer{}
		if string(each) != "[]" {
			if err := json.Unmarshal(each, &shown); err != nil {
				return nil, fmt.Errorf("action %s: %w", name, err)
			}
		}
		found[name] = shown
	}
	return found, nil
}

// argoChanges are what an action asks of the API server. A script returns the changed object, or a list of operations.
func argoChanges(object *unstructured.Unstructured, script string) ([]change, error) {
	encoded, err := run(object, script)
	if err != nil {
		return nil, err
	}
	var asked []change
	if encoded[0] == '[' {
		err = json.Unmarshal(encoded, &asked)
	} else {
		asked = []change{{Operation: "patch"}}
		err = json.Unmarshal(encoded, &asked[0].Resource)
	}
	if err != nil {
		return nil, err
	}
	for index, each := range asked {
		if each.Operation != "patch" {
			continue
		}
		before, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		after, err := json.Marshal(mended(each.Resource, object.Object))
		if err != nil {
			return nil, err
		}
		if asked[index].Patch, err = jsonpatch.CreateMergePatch(before, after); err != nil {
			return nil, err
		}
		asked[index].Resource = nil
	}
	return asked, nil
}

// mended gives back to an object the empty maps that Lua took for empty lists. As in Argo CD, one that is itself an
// item of a list stays a list.
func mended(after, before any) any {
	switch changed := after.(type) {
	case map[string]any:
		if was, ok := before.(map[string]any); ok {
			for name, value := range changed {
				if old, ok := was[name]; ok {
					changed[name] = mendedField(value, old)
				}
			}
		}
	case []any:
		if was, ok := before.([]any); ok {
			for index := range min(len(changed), len(was)) {
				changed[index] = mended(changed[index], was[index])
			}
		}
	}
	return after
}

func mendedField(after, before any) any {
	if list, ok := after.([]any); ok && len(list) == 0 {
		if _, ok := before.(map[string]any); ok {
			return map[string]any{}
		}
	}
	return mended(after, before)
}

// run gives the script the object as `obj`, and has what it returns as JSON.
func run(object *unstructured.Unstructured, script string) ([]byte, error) {
	state, done, err := sandbox()
	if err != nil {
		return nil, err
	}
	defer done()
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable && returned.Type() != lua.LTNil {
		return nil, errors.New("the script must return a table, not a " + returned.Type().String())
	}
	return luajson.Encode(returned)
}
