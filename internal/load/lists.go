package load

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// The overloads of the functions over lists.
const (
	sumOverload = "list_sum_double"
	avgOverload = "list_avg_double"
)

// lists adds sum and avg of a list of numbers, called as Kubernetes' CEL calls
// its own: body.queues.map(q, q.length).sum(). Both yield a double; the sum of
// nothing is 0, and its average is no number.
func lists() []cel.EnvOption {
	numbers := []*cel.Type{cel.ListType(cel.DynType)}
	return []cel.EnvOption{
		cel.Function("sum", cel.MemberOverload(sumOverload, numbers, cel.DoubleType, cel.UnaryBinding(sumOf))),
		cel.Function("avg", cel.MemberOverload(avgOverload, numbers, cel.DoubleType, cel.UnaryBinding(avgOf))),
	}
}

func sumOf(list ref.Val) ref.Val {
	sum, _, fault := added(list)
	if fault != nil {
		return fault
	}
	return sum
}

func avgOf(list ref.Val) ref.Val {
	sum, n, fault := added(list)
	switch {
	case fault != nil:
		return fault
	case n == 0:
		return types.NewErr("an empty list has no average")
	}
	return sum / n
}

// added adds up a list and counts it. fault is an error or an unknown of CEL's.
func added(list ref.Val) (sum, n types.Double, fault ref.Val) {
	l, ok := list.(traits.Lister)
	if !ok {
		return 0, 0, types.MaybeNoSuchOverloadErr(list)
	}
	for i := l.Iterator(); i.HasNext() == types.True; n++ {
		switch v := i.Next().(type) {
		case types.Double:
			sum += v
		case types.Int:
			sum += types.Double(v)
		case types.Uint:
			sum += types.Double(v)
		default:
			return 0, 0, types.NewErr("the list holds %s, expected numbers only", typeName(v))
		}
	}
	return sum, n, nil
}
