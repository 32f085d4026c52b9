"""Who is in a picture and what is seen there: identity networks, dlib's descriptor, the judge."""
