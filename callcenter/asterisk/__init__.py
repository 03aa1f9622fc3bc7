"""The Asterisk door: AMI, journal, provisioning and the process itself."""
