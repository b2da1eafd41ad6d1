package target

import appsv1 "k8s.io/api/apps/v1"

// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=statefulsets/scale,verbs=get;update

var statefulSetKind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")
