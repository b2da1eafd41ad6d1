package main

import (
	"fmt"
	"time"

	"cusme.dev/cusme/internal/elastic"
	"cusme.dev/cusme/internal/target"
)

// settleTime is how long marks on pods are given to reach the ReplicaSet
// controller. Somebody who waited for 0.6 s saw the wrong pod go
// (kubernetes/kubernetes#126138).
const settleTime = 2 * time.Second

const elasticUsage = "`rule` by which nodes are known as elastic, such as mycloud:label=example.com/serverless=true, or how pods there look that found no stock, such as mycloud:sold-out=NoStock; may be given several times"

// steering is how targets are seen and steered, as the flags say.
func steering(settle time.Duration, rules []string) (target.Options, error) {
	if settle < 0 {
		return target.Options{}, misuseError{fmt.Errorf("--settle-time: expected 0s or more, got %s", settle), ""}
	}
	known, err := elastic.Known().With(rules...)
	if err != nil {
		return target.Options{}, misuseError{fmt.Errorf("--elastic: %w", err), ""}
	}
	return target.Options{Settle: settle, Elastic: known}, nil
}
