"""The model of the forum: PynamoDB's ``Thread``, declared once for all sites."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

from dynaflask import Dynamo
from dynaflask import Model

db = Dynamo()


class ViewIndex(GlobalSecondaryIndex["Thread"]):
    """Threads by their number of views."""

    class Meta:
        projection = AllProjection()

    views = NumberAttribute(hash_key=True)


class Thread(Model):
    """A thread of a forum. The app decides where it is stored."""

    class Meta:
        table_name = "Thread"
        billing_mode = PAY_PER_REQUEST_BILLING_MODE

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    views = NumberAttribute(default=0)
    view_index = ViewIndex()
