"""Each field of the API that may name an object is a reference, or a person has said why not.

The fields are those that an API server serves (tests/support/api_fields.py), not those of our table.
"""

import pytest
from tests.support.api_fields import FILE

from kubeferry.tasks.core.needs.references.find import references

NEVER_CARRIED = {
    "Binding",
    "CSINode",
    "CSIStorageCapacity",
    "CertificateSigningRequest",
    "Event",
    "IPAddress",
    "LocalSubjectAccessReview",
    "Node",
    "ResourceSlice",
    "SelfSubjectAccessReview",
    "Status",
    "SubjectAccessReview",
    "TokenRequest",
    "VolumeAttachment",
}

NO_REFERENCE = {
    "a name inside of the object itself, or of another object's part": """
        Container.name ContainerPort.name ContainerResourceMetricSource.container DeviceClaimConfiguration.requests
        DeviceConstraint.requests DeviceRequest.name DeviceSubRequest.name EndpointPort.name EphemeralContainer.name
        EphemeralContainer.targetContainerName FileKeySelector.volumeName MatchCondition.name MutatingWebhook.name
        PodFailurePolicyOnExitCodesRequirement.containerName PodResourceClaim.name PodSchedulingGate.name
        ResourceClaim.name ResourceClaim.request ResourceFieldSelector.containerName ServiceBackendPort.name
        ServicePort.name ValidatingWebhook.name Variable.name Volume.name VolumeDevice.name VolumeMount.name
        AuditAnnotation.key PodReadinessGate.conditionType DownwardAPIVolumeFile.path""",
    "a word of the API: a mode, a policy, an enumeration": """
        Container.restartPolicy CSIDriverSpec.fsGroupPolicy CustomResourceColumnDefinition.format
        CustomResourceColumnDefinition.name EndpointSlice.addressType HTTPIngressPath.pathType
        ImageVolumeSource.pullPolicy
        IngressClassParametersReference.scope JSONSchemaProps.format JobSpec.completionMode Lifecycle.stopSignal
        MutatingAdmissionPolicySpec.failurePolicy ParamRef.parameterNotFoundAction PodOS.name
        PodSecurityContext.fsGroupChangePolicy PodSecurityContext.seLinuxChangePolicy
        PodSecurityContext.supplementalGroupsPolicy ScopedResourceSelectorRequirement.scopeName
        SecurityContext.procMount ServiceSpec.type StorageClass.volumeBindingMode
        ValidatingAdmissionPolicyBindingSpec.validationActions ValidatingAdmissionPolicySpec.failurePolicy
        EndpointPort.appProtocol ServicePort.appProtocol""",
    "an expression, or text with variables": """
        ApplyConfiguration.expression CELDeviceSelector.expression Container.args Container.command EnvFromSource.prefix
        EnvVar.name EnvVar.value EphemeralContainer.args EphemeralContainer.command JSONPatch.expression
        MatchCondition.expression SelectableField.jsonPath Validation.expression ValidationRule.rule
        VolumeMount.subPathExpr""",
    "a resource, a metric, a group or a name of a kind": """
        APIServiceSpec.group ContainerResizePolicy.resourceName ContainerResourceMetricSource.name
        CustomResourceDefinitionNames.plural CustomResourceDefinitionNames.shortNames
        CustomResourceDefinitionNames.singular CustomResourceDefinitionSpec.group CustomResourceDefinitionVersion.name
        DeviceClassSpec.extendedResourceName MetricIdentifier.name PolicyRule.apiGroups PolicyRule.nonResourceURLs
        ResourceMetricSource.name""",
    "a node, or what is on nodes: profiles, handlers, users, images": """
        AppArmorProfile.localhostProfile Container.image EphemeralContainer.image Endpoint.nodeName Endpoint.zone
        EndpointAddress.nodeName ForNode.name ForZone.name ImageVolumeSource.reference PodSpec.nodeName
        RuntimeClass.handler Sysctl.name WindowsSecurityContextOptions.runAsUserName GitRepoVolumeSource.directory
        DeviceToleration.key CronJobSpec.timeZone""",
    "a driver, a controller or a signer: a program, not an object": """
        ClusterTrustBundleProjection.signerName CSIPersistentVolumeSource.driver CSIVolumeSource.driver
        FlexPersistentVolumeSource.driver FlexVolumeSource.driver IngressClassSpec.controller LeaseSpec.holderIdentity
        PodCertificateProjection.signerName PodSpec.schedulerName ServiceSpec.loadBalancerClass
        VolumeAttributesClass.driverName""",
    "something of a storage system": """
        AzureDiskVolumeSource.diskName AzureFilePersistentVolumeSource.shareName AzureFileVolumeSource.shareName
        CSIPersistentVolumeSource.volumeHandle CephFSPersistentVolumeSource.user CephFSVolumeSource.user
        FCVolumeSource.targetWWNs FlockerVolumeSource.datasetName GCEPersistentDiskVolumeSource.pdName
        ISCSIPersistentVolumeSource.initiatorName ISCSIPersistentVolumeSource.iqn
        ISCSIPersistentVolumeSource.iscsiInterface ISCSIVolumeSource.initiatorName ISCSIVolumeSource.iqn
        ISCSIVolumeSource.iscsiInterface QuobyteVolumeSource.volume RBDPersistentVolumeSource.image
        RBDPersistentVolumeSource.pool RBDPersistentVolumeSource.user RBDVolumeSource.image RBDVolumeSource.pool
        RBDVolumeSource.user ScaleIOPersistentVolumeSource.protectionDomain ScaleIOPersistentVolumeSource.system
        ScaleIOPersistentVolumeSource.volumeName ScaleIOVolumeSource.protectionDomain ScaleIOVolumeSource.system
        ScaleIOVolumeSource.volumeName StorageOSPersistentVolumeSource.volumeName
        StorageOSPersistentVolumeSource.volumeNamespace StorageOSVolumeSource.volumeName
        StorageOSVolumeSource.volumeNamespace VsphereVirtualDiskVolumeSource.storagePolicyName""",
    "a host, an address or something of DNS": """
        Endpoint.hostname GRPCAction.service HTTPGetAction.host HTTPHeader.name IngressRule.host IngressTLS.hosts
        PodDNSConfig.nameservers PodDNSConfig.searches PodDNSConfigOption.name ServiceSpec.externalName
        TCPSocketAction.host WebhookClientConfig.url""",
    "a user or a group, which are no objects": "GroupSubject.name UserSubject.name",
    "a permission or a rule about names, which need not exist": """
        NamedRuleWithOperations.resourceNames PolicyRule.resourceNames""",
    "a namespace beside the name that is the reference, or one that a term of affinity looks in": """
        AzureFilePersistentVolumeSource.secretNamespace PodAffinityTerm.namespaces""",
    "a status, which a claim's template has none of": """
        ModifyVolumeStatus.targetVolumeAttributesClassName PersistentVolumeClaimCondition.status
        PersistentVolumeClaimCondition.type PersistentVolumeClaimStatus.currentVolumeAttributesClassName""",
    "its kind is in the policy: needs/references/admission_policies.py": "ParamRef.name",
}
PROPERTIES = {each: why for why, listed in NO_REFERENCE.items() for each in listed.split()}

PATHS = {
    ("PersistentVolume", "spec.claimRef.name"): "the claim names its volume and comes after it",
    ("Endpoints", "subsets[].addresses[].targetRef.name"): "a pod of which the address is: lookup/ follows it",
    ("Endpoints", "subsets[].notReadyAddresses[].targetRef.name"): "the same",
    ("EndpointSlice", "endpoints[].targetRef.name"): "the same",
}


def fields():
    """Return (group, kind, path, `Schema.property`) of each field, the pod's spec where each kind has it."""
    lines = [line.split() for line in FILE.read_text().splitlines()]
    pods = [(path, place) for group, _, path, place in lines if group == "-"]
    for group, kind, path, place in lines:
        if place.startswith("<"):
            yield from ((group, kind, f"{path}.{inside}", of) for inside, of in pods)
        elif group != "-" and kind not in NEVER_CARRIED:
            yield group, kind, path, place


def made(group, kind, path):
    """Return an object that has a name at a path, and beside it what a reference may have besides."""
    *above, last = path.split(".")
    beside = {"kind": "Thing", "namespace": "bank", "secretNamespace": "bank", "endpointsNamespace": "bank"}
    value = beside | {last.removesuffix("[]"): ["there"] if last.endswith("[]") else "there"}
    for part in reversed(above):
        value = {part.removesuffix("[]"): [value] if part.endswith("[]") else value}
    meta = {"name": "it", "namespace": "shop"}
    return {**value, "apiVersion": "v1" if group == "core" else f"{group}/v1", "kind": kind, "metadata": meta}


def found(group, kind, path):
    return any(each.target.name == "there" for each in references(made(group, kind, path)))


KNOWN = list(fields())


def test_the_api_has_many_kinds_and_fields():
    assert len({(group, kind) for group, kind, *_ in KNOWN}) > 35
    assert len(KNOWN) > 1000


@pytest.mark.parametrize("kind", sorted({(group, kind) for group, kind, *_ in KNOWN}))
def test_each_field_that_names_an_object_is_known(kind):
    unknown = [
        (path, place)
        for *of, path, place in KNOWN
        if tuple(of) == kind and place not in PROPERTIES and (kind[1], path) not in PATHS and not found(*kind, path)
    ]
    assert unknown == []


def test_no_exception_is_out_of_date():
    assert PROPERTIES.keys() - {place for *_, place in KNOWN} == set()
    assert PATHS.keys() - {(kind, path) for _, kind, path, _ in KNOWN} == set()
    odd = [(kind, path) for group, kind, path, place in KNOWN if place in PROPERTIES and found(group, kind, path)]
    odd += [(kind, path) for group, kind, path, _ in KNOWN if (kind, path) in PATHS and found(group, kind, path)]
    assert odd == []
