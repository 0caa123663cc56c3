package main

import (
	"context"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fluxHealth is what kustomize-controller makes of an object for which healthCheckExprs has expressions.
func fluxHealth(object *unstructured.Unstructured, expressions *kustomize.HealthCheckExpressions) (*verdict, error) {
	evaluator, err := cel.NewStatusEvaluator(expressions)
	if err != nil {
		return nil, err
	}
	result, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return nil, err
	}
	return &verdict{result.Status.String(), result.Message}, nil
}
