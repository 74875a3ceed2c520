"""What is common to all users of an app: its versions, base configuration, licences and theme."""
