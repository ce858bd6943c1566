"""Files under keys in a folder or an S3 bucket: one contract, two implementations. The only importer of boto3."""
