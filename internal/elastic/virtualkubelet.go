package elastic

// virtualKubelet is any node run by virtual-kubelet: the marks its own
// defaults set, and the instance type several vendors share. It also catches
// providers that have no file of their own yet.
var virtualKubelet = Provider{
	Name: "virtual-kubelet",
	Labels: []Label{
		{Key: "type", Value: "virtual-kubelet"},
		{Key: "node.kubernetes.io/instance-type", Value: "virtual-node"},
	},
	Taints: []string{"virtual-kubelet.io/provider"},
}
