// Stands in for cusme's own go.mod when localcluster's tests import internal/scaling (a link): that package needs the
// standard library only, and cusme's requirements would change the versions Kubernetes is built with.
module cusme.dev/cusme

go 1.26.0
