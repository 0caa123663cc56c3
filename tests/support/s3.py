"""A server that speaks S3, and asks who somebody is and what they may do: moto, in a process of its own.

Run by the Python of the image with drivers. It prints JSON: the keys of its users, by name.
"""

from __future__ import annotations

import json
import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

#: What each user may do.
USERS = {
    "writer": ["s3:*"],
    "reader": ["s3:Get*", "s3:List*"],
    "blind": ["s3:Put*", "s3:Get*", "s3:Delete*"],
}


def main(port: int) -> None:
    ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False).start()
    address = f"http://127.0.0.1:{port}"
    where = {"endpoint_url": address, "region_name": "us-east-1"}
    where |= {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    boto3.client("s3", **where).create_bucket(Bucket="results")
    iam, keys = boto3.client("iam", **where), {}
    for name, actions in USERS.items():
        rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(rights))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    # From now on every request needs a right.
    switch = urllib.request.Request(f"{address}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
    urllib.request.urlopen(switch).close()
    print(json.dumps(keys), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
